import pytest

from fastreid.config import CfgNode, get_cfg


@pytest.fixture
def cfg():
    return get_cfg()


@pytest.fixture
def write(tmp_path):
    """Write a YAML file under the test's folder and give its path."""

    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_a_file_changes_what_it_names_and_nothing_else(cfg, write):
    cfg.merge_from_file(write("a.yml", "SOLVER: {BASE_LR: 0.5, STEPS: [1, 2]}\n"))
    assert cfg.SOLVER.BASE_LR == 0.5
    assert cfg.SOLVER.STEPS == [1, 2]
    assert cfg.SOLVER.GAMMA == get_cfg().SOLVER.GAMMA


def test_a_base_is_read_first_relative_to_the_file_that_names_it(cfg, write):
    write("base.yml", "SOLVER: {BASE_LR: 0.1, MAX_EPOCH: 7}\n")
    write("sub/middle.yml", "_BASE_: ../base.yml\nSOLVER: {BASE_LR: 0.2, GAMMA: 0.3}\n")
    cfg.merge_from_file(write("sub/deep/a.yml", "_BASE_: ../middle.yml\nSOLVER: {GAMMA: 0.4}\n"))
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_EPOCH, cfg.SOLVER.GAMMA) == (0.2, 7, 0.4)


def test_an_absolute_base_is_taken_as_it_is(cfg, write):
    base = write("elsewhere/base.yml", "SEED: 5\n")
    cfg.merge_from_file(write("a.yml", f"_BASE_: {base}\n"))
    assert cfg.SEED == 5


def test_a_cycle_of_bases_names_its_files(cfg, write):
    write("a.yml", "_BASE_: b.yml\n")
    path = write("b.yml", "_BASE_: a.yml\n")
    with pytest.raises(ValueError, match=r"_BASE_ leads back to itself: .*b\.yml -> .*a\.yml -> "):
        cfg.merge_from_file(path)


def test_a_missing_file_is_named_with_who_asked_for_it(cfg, write, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no configuration file .*gone\.yml"):
        cfg.merge_from_file(tmp_path / "gone.yml")
    path = write("a.yml", "_BASE_: gone.yml\n")
    with pytest.raises(FileNotFoundError, match=r"gone\.yml \(the _BASE_ of .*a\.yml\)"):
        cfg.merge_from_file(path)


def test_an_unknown_key_names_the_file_the_key_and_the_near_one(cfg, write):
    path = write("a.yml", "SOLVER: {BASE_LRR: 0.5}\n")
    message = r"a\.yml: SOLVER\.BASE_LRR is not a known key\. Did you mean SOLVER\.BASE_LR"
    with pytest.raises(KeyError, match=message):
        cfg.merge_from_file(path)


def test_an_unknown_key_like_no_other_lists_the_known_ones(cfg, write):
    path = write("a.yml", "MODEL: {HEADS: {zzz: 1}}\n")
    with pytest.raises(KeyError, match=r"MODEL\.HEADS\.zzz is not .* Known here: CLASSES_PER_DOM"):
        cfg.merge_from_file(path)


def test_an_unknown_key_of_a_base_names_the_base(cfg, write):
    write("base.yml", "SEEED: 1\n")
    with pytest.raises(KeyError, match=r"base\.yml: SEEED is not a known key\. Did you mean SEED"):
        cfg.merge_from_file(write("a.yml", "_BASE_: base.yml\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SEED: abc", r"SEED must be a whole number \(default 0\), but is the text 'abc'"),
        ("SEED: 1.5", r"SEED must be a whole number \(default 0\), but is 1\.5 \(float\)"),
        ("SEED: true", r"SEED must be a whole number"),
        ("TEST: {PLOTS: 1}", r"TEST\.PLOTS must be True or False"),
        ("SOLVER: {GAMMA: true}", r"SOLVER\.GAMMA must be a number"),
        ("SOLVER: {STEPS: 3}", r"SOLVER\.STEPS must be a list"),
        ("MODE: [graph]", r"MODE must be a text"),
        ("DATASETS: {NAMES: Market1501}", r"DATASETS\.NAMES must be a list"),
        ("SOLVER: 3", r"SOLVER is a group of keys, but was given 3"),
    ],
)
def test_a_wrong_type_names_the_file_the_key_and_the_type(cfg, write, text, message):
    with pytest.raises(TypeError, match=rf"a\.yml: {message}"):
        cfg.merge_from_file(write("a.yml", text + "\n"))


def test_unsafe_yaml_is_refused_and_not_run(cfg, write, tmp_path):
    trace = tmp_path / "trace"
    path = write("a.yml", f"SEED: !!python/object/apply:os.mkdir ['{trace}']\n")
    with pytest.raises(ValueError, match=r"a\.yml is not plain YAML: .*python/object/apply"):
        cfg.merge_from_file(path)
    assert not trace.exists()


@pytest.mark.parametrize("text", ["SEED: [1\n", "a: b: c\n"])
def test_broken_yaml_names_the_file(cfg, write, text):
    with pytest.raises(ValueError, match=r"a\.yml is not plain YAML"):
        cfg.merge_from_file(write("a.yml", text))


@pytest.mark.parametrize(("text", "kind"), [("", "NoneType"), ("- 1\n", "list"), ("word\n", "str")])
def test_a_file_without_keys_is_refused(cfg, write, text, kind):
    with pytest.raises(ValueError, match=rf"a\.yml must hold keys and values, but holds {kind}"):
        cfg.merge_from_file(write("a.yml", text))


def test_words_of_the_command_line_become_values(cfg):
    words = "SEED 3 SOLVER.BASE_LR 1e-3 TEST.PLOTS False MODEL.WEIGHTS w.ckpt MODEL.DEVICE cpu"
    cfg.merge_from_list([*words.split(), "DATASETS.NAMES", "('A', 'B')", "SOLVER.STEPS", "[4, 8]"])
    assert (cfg.SEED, cfg.SOLVER.BASE_LR, cfg.TEST.PLOTS) == (3, 1e-3, False)
    assert (cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE) == ("w.ckpt", "cpu")
    assert cfg.DATASETS.NAMES == ("A", "B")
    assert cfg.SOLVER.STEPS == [4, 8]


def test_a_key_without_a_value_is_refused(cfg):
    with pytest.raises(ValueError, match=r"pairs KEY VALUE, but there are 3 words: SEED 3 MODE"):
        cfg.merge_from_list(["SEED", "3", "MODE"])


def test_a_wrong_override_names_the_command_line(cfg):
    with pytest.raises(KeyError, match=r"the command line: SOLVER\.BASELR .*SOLVER\.BASE_LR"):
        cfg.merge_from_list(["SOLVER.BASELR", "1"])
    with pytest.raises(TypeError, match=r"the command line: SEED must be a whole number"):
        cfg.merge_from_list(["SEED", "1.5"])
    with pytest.raises(TypeError, match=r"the command line: SOLVER is a group of keys"):
        cfg.merge_from_list(["SOLVER", "1"])


def test_a_whole_number_is_taken_for_a_number(cfg):
    cfg.merge_from_list(["SOLVER.BASE_LR", "1"])
    assert cfg.SOLVER.BASE_LR == 1.0
    assert isinstance(cfg.SOLVER.BASE_LR, float)


def test_lists_and_tuples_keep_the_kind_of_the_default(cfg, write):
    cfg.merge_from_file(write("a.yml", "DATASETS: {NAMES: [A, B]}\n"))
    cfg.merge_from_list(["SOLVER.STEPS", "(4, 8)"])
    assert cfg.DATASETS.NAMES == ("A", "B")
    assert cfg.SOLVER.STEPS == [4, 8]


def test_a_number_in_yaml_is_taken_for_a_text(cfg, write):
    cfg.merge_from_file(write("a.yml", "MODEL: {BACKBONE: {DEPTH: 50}}\n"))
    assert cfg.MODEL.BACKBONE.DEPTH == "50"


def test_a_number_that_yaml_reads_as_text_is_taken_for_a_number(cfg, write):
    cfg.merge_from_file(write("a.yml", "SOLVER: {ETA_MIN_LR: 7e-7}\n"))
    assert cfg.SOLVER.ETA_MIN_LR == 7e-7


def test_a_frozen_config_cannot_be_changed_in_any_way(cfg, write):
    cfg.freeze()
    with pytest.raises(AttributeError, match="immutable"):
        cfg.SEED = 1
    with pytest.raises(AttributeError, match="immutable"):
        cfg.merge_from_list(["SOLVER.BASE_LR", "1"])
    with pytest.raises(AttributeError, match="immutable"):
        cfg.merge_from_file(write("a.yml", "SEED: 1\n"))
    assert cfg == get_cfg()


def test_what_is_dumped_reads_back(cfg, write):
    cfg.merge_from_list(["SOLVER.STEPS", "[4]", "DATASETS.NAMES", "('A',)", "SEED", "9"])
    again = get_cfg()
    again.merge_from_file(write("dump.yml", cfg.dump()))
    assert again == cfg
    assert isinstance(again, CfgNode)
