"""Names and shapes of the tensors of networks, computed without building the networks."""

from __future__ import annotations

_NORM = ("weight", "bias", "running_mean", "running_var")
PLANES = (64, 128, 256, 512)


def _norm(name, width):
    return {f"{name}.{leaf}": (width,) for leaf in _NORM}


def _first_norm(name, width, ibn):
    if not ibn:
        return _norm(name, width)
    half = width // 2
    return {
        f"{name}.IN.weight": (half,),
        f"{name}.IN.bias": (half,),
        **_norm(f"{name}.BN", width - half),
    }


def _block(name, channels, planes, *, basic, ibn, se, downsample, groups=1):
    out = planes if basic else 4 * planes
    size = 3 if basic else 1
    shapes = {
        f"{name}.conv1.weight": (planes, channels, size, size),
        **_first_norm(f"{name}.bn1", planes, ibn),
        f"{name}.conv2.weight": (planes, planes // groups, 3, 3),
        **_norm(f"{name}.bn2", planes),
    }
    if not basic:
        shapes.update({f"{name}.conv3.weight": (out, planes, 1, 1), **_norm(f"{name}.bn3", out)})
    if se:
        shapes[f"{name}.se.fc.0.weight"] = (out // 16, out)
        shapes[f"{name}.se.fc.2.weight"] = (out, out // 16)
    if downsample:
        shapes[f"{name}.downsample.0.weight"] = (out, channels, 1, 1)
        shapes.update(_norm(f"{name}.downsample.1", out))
    return shapes


def _non_local(name, channels):
    shapes = {f"{name}.W.0.weight": (channels, 1, 1, 1), f"{name}.W.0.bias": (channels,)}
    shapes.update(_norm(f"{name}.W.1", channels))
    for part in ("g", "theta", "phi"):
        shapes[f"{name}.{part}.weight"] = (1, channels, 1, 1)
        shapes[f"{name}.{part}.bias"] = (1,)
    return shapes


def resnet(
    blocks=(3, 4, 6, 3),
    *,
    stem=64,
    planes=PLANES,
    basic=False,
    ibn=False,
    se=False,
    non_local=(0, 0, 0, 0),
    groups=1,
    prefix="",
):
    """Return shapes by PyTorch name of a ResNet without its classifier."""
    shapes = {"conv1.weight": (stem, 3, 7, 7), **_norm("bn1", stem)}
    channels = stem
    for stage, (count, width, extra) in enumerate(zip(blocks, planes, non_local), start=1):
        out = width if basic else 4 * width
        for index in range(count):
            shapes.update(
                _block(
                    f"layer{stage}.{index}",
                    channels,
                    width,
                    basic=basic,
                    ibn=ibn and stage < 4,
                    se=se,
                    downsample=index == 0 and (stage > 1 or channels != out),
                    groups=groups,
                )
            )
            channels = out
        for index in range(extra):
            shapes.update(_non_local(f"NL_{stage}.{index}", out))
    return {f"{prefix}{name}": shape for name, shape in shapes.items()}


def head(width=2048, *, classes=751, embedding=0, norm=True, power=False):
    """Return shapes by PyTorch name, in the current release, of fast-reid's head."""
    shapes = {"heads.pool_layer.p": (1,)} if power else {}
    place = 0
    if embedding:
        shapes["heads.bottleneck.0.weight"] = (embedding, width, 1, 1)
        width, place = embedding, 1
    if norm:
        shapes.update(_norm(f"heads.bottleneck.{place}", width))
    if classes:
        shapes["heads.weight"] = (classes, width)
    return shapes


_MGN_TRUNK = {
    "backbone.conv1.": "backbone.0.",
    "backbone.bn1.": "backbone.1.",
    "backbone.layer1.": "backbone.4.",
    "backbone.layer2.": "backbone.5.",
    "backbone.layer3.0.": "backbone.6.",
}
_MGN_HEADS = ("b1", "b2", "b21", "b22", "b3", "b31", "b32", "b33")


def _mgn_names(name):
    """Names in an MGN of the copies of a tensor of a Baseline."""
    for start, place in _MGN_TRUNK.items():
        if name.startswith(start):
            return [place + name[len(start) :]]
    if name.startswith("heads."):
        return [f"{head}_head{name[len('heads') :]}" for head in _MGN_HEADS]
    stage, block, rest = name[len("backbone.layer") :].split(".", 2)
    place = f"0.{int(block) - 1}" if stage == "3" else f"1.{block}"
    return [f"{branch}.{place}.{rest}" for branch in ("b1", "b2", "b3")]


def mgn(**options):
    """Return shapes by PyTorch name of an MGN of fast-reid, from options of `fastreid_model`."""
    shapes = fastreid_model(**options)
    return {new: shape for name, shape in shapes.items() for new in _mgn_names(name)}


def fastreid_model(*, classes=751, embedding=0, norm=True, power=False, width=2048, **backbone):
    """Return shapes by PyTorch name of a Baseline of fast-reid."""
    return {
        **resnet(prefix="backbone.", **backbone),
        **head(width, classes=classes, embedding=embedding, norm=norm, power=power),
    }
