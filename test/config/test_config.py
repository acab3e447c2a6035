import pytest

from fastreid.config import CfgNode, get_cfg, rules


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
    with pytest.raises(
        ValueError, match=r"The _BASE_ keys of these files form a cycle: .*b\.yml -> .*a\.yml -> "
    ):
        cfg.merge_from_file(path)


def test_a_missing_file_is_named_with_its_origin(cfg, write, tmp_path):
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
        ("SEED: abc", r"SEED must be an integer \(default 0\), but is the string 'abc'"),
        ("SEED: 1.5", r"SEED must be an integer \(default 0\), but is 1\.5 \(float\)"),
        ("SEED: true", r"SEED must be an integer"),
        ("TEST: {PLOTS: 1}", r"TEST\.PLOTS must be True or False"),
        ("SOLVER: {GAMMA: true}", r"SOLVER\.GAMMA must be a number"),
        ("SOLVER: {STEPS: 3}", r"SOLVER\.STEPS must be a list"),
        ("MODE: [graph]", r"MODE must be a string"),
        (
            "DATASETS: {NAMES: Market1501}",
            r"DATASETS\.NAMES must be a list .* Write it as \"\['Market1501'\]\"",
        ),
        (
            "DATASETS: {NAMES: [[A]]}",
            r"DATASETS\.NAMES must be a list of strings, but contains \['A'\]",
        ),
        (
            "DATASETS: {NAMES: [true]}",
            r"DATASETS\.NAMES must be a list of strings, but contains True",
        ),
        ("INPUT: {SIZE_TRAIN: [a, 3]}", r"INPUT\.SIZE_TRAIN must be a list of integers, but"),
        (
            "INPUT: {SIZE_TRAIN: [1.5, 3]}",
            r"INPUT\.SIZE_TRAIN must be a list of integers, but",
        ),
        (
            "MODEL: {PIXEL_MEAN: [x, 1, 2]}",
            r"MODEL\.PIXEL_MEAN must be a list of numbers, but contains",
        ),
        ("SOLVER: 3", r"SOLVER is a group of keys and cannot be set to 3"),
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


@pytest.mark.parametrize(
    "text", ["SEED: [1\n", "a: b: c\n", "SOLVER:\n\tBASE_LR: 1\n", "SEED: 1\nMODE: x\nSEED: 2\n"]
)
def test_broken_yaml_names_the_file(cfg, write, text):
    with pytest.raises(ValueError, match=r"a\.yml is not plain YAML"):
        cfg.merge_from_file(write("a.yml", text))


@pytest.mark.parametrize(
    ("text", "kind"), [("", "is empty"), ("- 1\n", "contains list"), ("word\n", "contains str")]
)
def test_a_file_without_keys_is_refused(cfg, write, text, kind):
    with pytest.raises(ValueError, match=rf"a\.yml must contain keys and values, but {kind}"):
        cfg.merge_from_file(write("a.yml", text))


def test_words_of_the_command_line_become_values(cfg):
    words = "SEED 3 SOLVER.BASE_LR 1e-3 TEST.PLOTS False MODEL.WEIGHTS w.ckpt MODEL.DEVICE cpu"
    cfg.merge_from_list([*words.split(), "DATASETS.NAMES", "('A', 'B')", "SOLVER.STEPS", "[4, 8]"])
    assert (cfg.SEED, cfg.SOLVER.BASE_LR, cfg.TEST.PLOTS) == (3, 1e-3, False)
    assert (cfg.MODEL.WEIGHTS, cfg.MODEL.DEVICE) == ("w.ckpt", "cpu")
    assert cfg.DATASETS.NAMES == ("A", "B")
    assert cfg.SOLVER.STEPS == [4, 8]


def test_a_key_without_a_value_is_refused(cfg):
    with pytest.raises(ValueError, match=r"KEY VALUE pairs, but there are 3 words: SEED 3 MODE"):
        cfg.merge_from_list(["SEED", "3", "MODE"])


def test_a_wrong_override_names_the_command_line(cfg):
    with pytest.raises(KeyError, match=r"the command line: SOLVER\.BASELR .*SOLVER\.BASE_LR"):
        cfg.merge_from_list(["SOLVER.BASELR", "1"])
    with pytest.raises(TypeError, match=r"the command line: SEED must be an integer"):
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


@pytest.mark.parametrize("text", ["007", "1e3", "2024.10", "0x10", "1_000", "2024-10-01", "+1"])
def test_values_of_text_settings_stay_as_they_were_written(cfg, write, text):
    cfg.merge_from_file(write("a.yml", f"OUTPUT_DIR: {text}\nDATASETS: {{NAMES: [{text}]}}\n"))
    assert text == cfg.OUTPUT_DIR
    assert (text,) == cfg.DATASETS.NAMES
    cfg.merge_from_list(["MODEL.WEIGHTS", text])
    assert text == cfg.MODEL.WEIGHTS
    again = get_cfg()
    again.merge_from_file(write("dump.yml", cfg.dump()))
    assert again == cfg


def test_numbers_of_a_file_are_ordinary_numbers(cfg, write):
    cfg.merge_from_file(
        write("a.yml", "SEED: 3\nINPUT: {SIZE_TRAIN: [64, 32]}\nSOLVER: {GAMMA: .5}\n")
    )
    kinds = {type(value) for value in (cfg.SEED, *cfg.INPUT.SIZE_TRAIN, cfg.SOLVER.GAMMA)}
    assert kinds == {int, float}


@pytest.mark.parametrize(
    "text",
    [
        "lr=0.1",
        "a, b",
        "my run",
        "it's",
        "(1)",
        "-x",
        "50%",
        "Müller",
        '"quoted"',
        "a#b",
        "$x",
        "[a]",
    ],
)
def test_paths_with_odd_characters_stay_as_they_are(cfg, write, text):
    cfg.merge_from_list(["OUTPUT_DIR", text, "DATASETS.IMAGE_LIST", text])
    assert (text, text) == (cfg.OUTPUT_DIR, cfg.DATASETS.IMAGE_LIST)
    again = get_cfg()
    again.merge_from_file(write("dump.yml", cfg.dump()))
    assert again == cfg


def test_a_home_is_expanded_in_paths(cfg, write, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    cfg.merge_from_list(["OUTPUT_DIR", "~/logs", "MODEL.DEVICE", "~"])
    cfg.merge_from_file(write("a.yml", "MODEL: {WEIGHTS: ~/w.ckpt}\n"))
    assert (cfg.OUTPUT_DIR, cfg.MODEL.WEIGHTS) == ("/home/me/logs", "/home/me/w.ckpt")
    assert cfg.MODEL.DEVICE == "~"
    with pytest.raises(
        ValueError, match="OUTPUT_DIR is '~nobody-here/x', but there is no such home folder"
    ):
        cfg.merge_from_list(["OUTPUT_DIR", "~nobody-here/x"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("SEED", "-1", "from 0 to 4294967295"),
        ("INPUT.SIZE_TRAIN", "[256, 128, 64]", "height and width of at least 4 pixels"),
        ("INPUT.SIZE_TEST", "[0, 128]", "height and width of at least 4 pixels"),
        ("INPUT.SIZE_TRAIN", "[256, -128]", "height and width of at least 4 pixels"),
        ("INPUT.FLIP.PROB", "1.5", "from 0 to 1"),
        ("MODEL.PIXEL_MEAN", "[1, 2]", "three numbers, one for each of red, green and blue"),
        ("MODEL.PIXEL_STD", "[1, 2, 0]", "above 0"),
        ("SOLVER.IMS_PER_BATCH", "0", "at least 1"),
        ("TEST.IMS_PER_BATCH", "-4", "at least 1"),
        ("SOLVER.BASE_LR", "-0.1", "at least 0"),
        ("SOLVER.MAX_EPOCH", "0", "at least 1"),
        ("SOLVER.STEPS", "[-1]", "epochs of at least 0"),
        ("MODEL.LOSSES.NAME", "()", "one loss or more"),
        ("TEST.METRIC", "manhattan", "cosine or euclidean"),
        ("SOLVER.BASE_LR", "1e999", "finite"),
        ("MODEL.PIXEL_MEAN", "[1, 2, 1e999]", "finite"),
    ],
)
def test_an_invalid_value_is_named_with_its_key_and_the_remedy(cfg, key, value, message):
    with pytest.raises(ValueError, match=rf"the command line: {key} is .*; it must be .*{message}"):
        cfg.merge_from_list([key, value])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("INPUT.SIZE_TRAIN", [0]),
        ("INPUT.SIZE_TRAIN", [256]),
        ("INPUT.SIZE_TEST", [0]),
        ("INPUT.SIZE_TEST", [256]),
        ("INPUT.CROP.SIZE", [224]),
    ],
)
def test_sizes_of_a_classifier_may_be_one_number(cfg, key, value):
    cfg.merge_from_list([key, str(value)])
    group, _, name = key.rpartition(".")
    node = cfg
    for part in group.split("."):
        node = node[part]
    assert node[name] == value


def test_a_text_with_a_line_break_is_refused(cfg):
    with pytest.raises(ValueError, match="OUTPUT_DIR contains a line break or a null character"):
        cfg.merge_from_list(["OUTPUT_DIR", "a\nb"])


@pytest.mark.parametrize("value", ["Market1501", "('Market1501')", "3", "Market1501,"])
def test_a_single_text_in_place_of_a_list_shows_how_a_list_is_written(cfg, value):
    with pytest.raises(TypeError, match=r"NAMES must be a list .* Write it as \"\['\w+'\]\"\."):
        cfg.merge_from_list(["DATASETS.NAMES", value])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["SEED", "1", "--eval-only"], "--eval-only is among the KEY VALUE pairs"),
        (["SEED", "--eval-only", "MODE"], "KEY VALUE pairs, but there are 3 words"),
        (["SEED=3"], "Write SEED 3 instead of SEED=3"),
    ],
)
def test_words_that_are_not_pairs_are_explained(cfg, words, message):
    with pytest.raises(ValueError, match=message):
        cfg.merge_from_list(words)


def test_every_rule_is_about_a_key_and_its_default_keeps_it(cfg):
    for name in (*rules.ELEMENTS, *rules.RULES):
        value = cfg
        for part in name.split("."):
            value = value[part]
        assert rules.checked_value(name, value, "the defaults") == value
