import os
import subprocess
import sys
from pathlib import Path

from demo_data import Sizes, make_demo_data

ROOT = Path(__file__).parents[2]


def check(root, *words):
    return subprocess.run(
        [sys.executable, "tools/check_dataset.py", *words],
        cwd=ROOT,
        env={**os.environ, "FASTREID_DATASETS": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_prints_faults_and_ends_with_1(tmp_path):
    make_demo_data(tmp_path, sizes=Sizes(5, 5, 4), names=["Market1501"])
    sound = check(tmp_path, "Market1501")
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "train           5          20" in sound.stdout
    assert "0 faults" in sound.stdout
    assert "published: train 751 ids, 12936 images; query 750 ids, 3368 images; " in sound.stdout
    assert "(Zheng et al., ICCV 2015)" in sound.stdout
    path = next((tmp_path / "Market-1501-v15.09.15" / "query").glob("*.jpg"))
    path.write_bytes(b"no image")
    broken = check(tmp_path, "Market1501", "--workers", "1")
    assert broken.returncode == 1
    reported = f"FAULT: Test set Market1501: Image files that cannot be read: 1 ({path}"
    assert broken.stdout.splitlines()[-1].startswith(reported)
    trained_on = check(tmp_path, "Market1501", "--for", "train", "--quick")
    assert (trained_on.returncode, "gallery" in trained_on.stdout) == (0, False)
    unknown = check(tmp_path, "Market")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(
        "check_dataset.py: DATASET registry has no 'Market'. Did you mean"
    )
