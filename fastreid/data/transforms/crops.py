"""Resize, pad and crop PIL images. Sizes are (height, width) in pixels."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageOps

PaddingMode = Literal["constant", "edge", "reflect", "symmetric"]


class Resize:
    """Resize with PIL's bicubic filter, which is antialiased when it reduces the size.

    Args:
        size: (height, width), or one number for the length of the shorter side.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import Resize
        >>> image, rng = Image.new("RGB", (60, 120)), np.random.default_rng(0)
        >>> Resize((256, 128))(image, rng).size  # PIL's order: width, height
        (128, 256)
        >>> Resize((240,))(image, rng).size
        (240, 480)
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        self.size = tuple(size)

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG002
        """Transform an image, without random numbers."""
        if len(self.size) == 2:
            height, width = self.size
        else:
            shorter = min(image.size)
            width, height = (int(self.size[0] * side / shorter) for side in image.size)
        return image.resize((width, height), Image.Resampling.BICUBIC)


class Pad:
    """Pad an image on all four sides.

    Args:
        padding: pixels per side.
        mode: "constant" (black), "edge", "reflect" or "symmetric", as in ``numpy.pad``.

    Raises:
        ValueError: ``mode`` is unknown.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import Pad
        >>> image, rng = Image.new("L", (2, 1), 255).convert("RGB"), np.random.default_rng(0)
        >>> np.asarray(Pad(1)(image, rng))[..., 0]
        array([[  0,   0,   0,   0],
               [  0, 255, 255,   0],
               [  0,   0,   0,   0]], dtype=uint8)
    """

    def __init__(self, padding: int, *, mode: PaddingMode = "constant") -> None:
        modes = get_args(PaddingMode)
        if mode not in modes:
            raise ValueError(f"INPUT.PADDING.MODE is {mode!r}; it must be one of {modes}.")
        self.padding = padding
        self.mode = mode

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG002
        """Transform an image, without random numbers."""
        if self.mode == "constant":
            return ImageOps.expand(image, self.padding, fill=0)
        sides = ((self.padding, self.padding), (self.padding, self.padding), (0, 0))
        return Image.fromarray(np.pad(np.asarray(image), sides, mode=self.mode))


class RandomCrop:
    """Crop a window at a random position.

    Args:
        size: (height, width), or one number for a square; images must not be smaller.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import RandomCrop
        >>> crop, rng = RandomCrop((256, 128)), np.random.default_rng(0)
        >>> crop(Image.new("RGB", (148, 276)), rng).size
        (128, 256)
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        self.height, self.width = size[0], size[-1]

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        if image.width < self.width or image.height < self.height:
            raise ValueError(
                f"a crop of {self.height}x{self.width} does not fit into an image of "
                f"{image.height}x{image.width}; see INPUT.SIZE_TRAIN and INPUT.CROP.SIZE"
            )
        top = int(rng.integers(image.height - self.height + 1))
        left = int(rng.integers(image.width - self.width + 1))
        return image.crop((left, top, left + self.width, top + self.height))


class RandomResizedCrop:
    """Crop a window of random area and aspect ratio and resize it, as torchvision does.

    After ten windows that do not fit, the largest central window of an allowed ratio is used.

    Args:
        size: (height, width) of the result, or one number for a square.
        scale: minimum and maximum fraction of the area of the image.
        ratio: minimum and maximum width / height of the window.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import RandomResizedCrop
        >>> crop = RandomResizedCrop((224,), scale=(0.16, 1.0), ratio=(0.75, 1.33))
        >>> crop(Image.new("RGB", (64, 128)), np.random.default_rng(0)).size
        (224, 224)
    """

    def __init__(
        self,
        size: tuple[int, ...],
        *,
        scale: tuple[float, float],
        ratio: tuple[float, float],
    ) -> None:
        self.height, self.width = size[0], size[-1]
        self.scale = scale
        self.ratio = ratio

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Transform an image, with random numbers from ``rng``."""
        left, top, width, height = self._window(image.width, image.height, rng)
        return image.resize(
            (self.width, self.height),
            Image.Resampling.BICUBIC,
            box=(left, top, left + width, top + height),
        )

    def _window(
        self, image_width: int, image_height: int, rng: np.random.Generator
    ) -> tuple[int, int, int, int]:
        for _ in range(10):
            area = image_width * image_height * rng.uniform(*self.scale)
            shape = math.exp(rng.uniform(*np.log(self.ratio)))
            width, height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < width <= image_width and 0 < height <= image_height:
                top = int(rng.integers(image_height - height + 1))
                left = int(rng.integers(image_width - width + 1))
                return left, top, width, height
        shape = min(max(image_width / image_height, self.ratio[0]), self.ratio[1])
        width = min(image_width, round(image_height * shape))
        height = min(image_height, round(image_width / shape))
        return (image_width - width) // 2, (image_height - height) // 2, width, height


class CenterCrop:
    """Crop the centre; an image smaller than the window gets black borders.

    Args:
        size: (height, width), or one number for a square.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from fastreid.data.transforms import CenterCrop
        >>> image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
        >>> np.asarray(CenterCrop((1, 2))(image, np.random.default_rng(0)))
        array([[5, 6]], dtype=uint8)
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        self.height, self.width = size[0], size[-1]

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:  # noqa: ARG002
        """Transform an image, without random numbers."""
        top = round((image.height - self.height) / 2)
        left = round((image.width - self.width) / 2)
        # PIL fills what lies outside the image with black.
        return image.crop((left, top, left + self.width, top + self.height))
