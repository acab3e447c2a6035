"""Cover parts of image arrays to simulate occlusion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


class RandomErasing:
    """Fill a random rectangle with one colour (Zhong et al., AAAI 2020), as torchvision does.

    If none of ten rectangles fits, the image is returned unchanged.

    Args:
        prob: probability, 0 to 1.
        value: fill colour, three channel values in 0 to 255.
        scale: minimum and maximum fraction of the area of the image.
        ratio: minimum and maximum height / width.

    Examples:
        >>> import numpy as np
        >>> from fastreid.data.transforms import RandomErasing
        >>> erase = RandomErasing(prob=1.0, value=(124, 116, 104), scale=(0.25, 0.25), ratio=(1, 1))
        >>> image = np.zeros((3, 64, 64), np.uint8)
        >>> erased = erase(image, np.random.default_rng(0))
        >>> (erased > 0).mean(axis=(1, 2)).tolist(), erased.max(axis=(1, 2)).tolist()
        ([0.25, 0.25, 0.25], [124.0, 116.0, 104.0])
    """

    def __init__(
        self,
        *,
        prob: float = 0.5,
        value: Sequence[float] = (0.0, 0.0, 0.0),
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
    ) -> None:
        self.prob = prob
        self.value = np.asarray(value, dtype=np.float32).reshape(-1, 1, 1)
        self.scale = scale
        self.ratio = ratio

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Cover a rectangle in a copy of the image.

        Args:
            image: (3, H, W) uint8 or float32, 0 to 255.
            rng: source of all random numbers.

        Returns:
            (3, H, W): a float32 copy with a rectangle covered, or the image itself.
        """
        if rng.random() >= self.prob:
            return image
        _, image_height, image_width = image.shape
        for _ in range(10):
            area = image_height * image_width * rng.uniform(*self.scale)
            shape = math.exp(rng.uniform(*np.log(self.ratio)))
            height, width = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if height < image_height and width < image_width:
                top = int(rng.integers(image_height - height + 1))
                left = int(rng.integers(image_width - width + 1))
                erased = image.astype(np.float32)
                erased[:, top : top + height, left : left + width] = self.value
                return erased
        return image


class RandomPatch:
    """Paste patches of other images of the batch (Zhou et al., OSNet, ICCV 2019).

    fast-reid's ``RandomPatch`` keeps a pool of the last 50,000 patches in each worker process.
    Here patches come from the batch itself, so that results are independent of the number of
    workers and of the iteration at which a run was resumed.

    Args:
        prob: probability that an image gets a patch, 0 to 1.
        area: minimum and maximum fraction of the area of the image.
        min_ratio: minimum height / width of a patch; the maximum is its inverse.
        flip_prob: probability that a patch is mirrored left and right, 0 to 1.

    Examples:
        >>> import numpy as np
        >>> from fastreid.data.transforms import RandomPatch
        >>> images = np.stack([np.full((3, 32, 16), level, np.uint8) for level in (10, 20, 30)])
        >>> patched = RandomPatch(prob=1.0)(images, np.random.default_rng(0))
        >>> patched.shape, set(np.unique(patched).tolist()) <= {10, 20, 30}
        ((3, 3, 32, 16), True)
    """

    def __init__(
        self,
        *,
        prob: float = 0.5,
        area: tuple[float, float] = (0.01, 0.5),
        min_ratio: float = 0.1,
        flip_prob: float = 0.5,
    ) -> None:
        self.prob = prob
        self.area = area
        self.min_ratio = min_ratio
        self.flip_prob = flip_prob

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Paste patches into a copy of a batch.

        Args:
            images: (N, 3, H, W), 0 to 255.
            rng: source of all random numbers.

        Returns:
            (N, 3, H, W) of the same type.
        """
        patched = images.copy()
        image_height, image_width = images.shape[2:]
        for target in patched:
            if rng.random() >= self.prob:
                continue
            height, width = self._patch_size(image_height, image_width, rng)
            source = images[rng.integers(len(images))]
            patch = self._window(source, height, width, rng)
            flipped = rng.random() < self.flip_prob
            self._window(target, height, width, rng)[...] = patch[..., ::-1] if flipped else patch
        return patched

    def _patch_size(self, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
        for _ in range(100):
            area = height * width * rng.uniform(*self.area)
            ratio = rng.uniform(self.min_ratio, 1 / self.min_ratio)
            size = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if size[0] < height and size[1] < width:
                return size
        return 0, 0

    @staticmethod
    def _window(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
        top = rng.integers(image.shape[1] - height + 1)
        left = rng.integers(image.shape[2] - width + 1)
        return image[:, top : top + height, left : left + width]
