import dataclasses

import numpy as np
import pytest

from demo_data.drawing.domain import CUHK03, CUHK_SYSU, MARKET, MSMT17, draw_cameras
from demo_data.drawing.identity import Bag, Hair, Lower, Pattern, draw_identity
from demo_data.drawing.render import Renderer
from demo_data.population import Group, Population

DOMAINS = {"market": MARKET, "msmt17": MSMT17, "cuhk03": CUHK03, "sysu": CUHK_SYSU}
# Nothing but the person changes the picture.
STUDIO = dataclasses.replace(MARKET, num_cameras=1, noise=(0, 0), occluded=0.0)


def studio(yaw: float) -> Renderer:
    (camera,) = draw_cameras(STUDIO, np.random.default_rng(0))
    return Renderer(STUDIO, [dataclasses.replace(camera, yaw=yaw)])


def picture_of(renderer, person, seed=0):
    # The seed keeps pose and place; 0 gives a yaw within half a radian of the camera's.
    return renderer.picture(person, 0, np.random.default_rng(seed)).astype(float)


@pytest.fixture
def person():
    drawn = draw_identity(np.random.default_rng(0))
    return dataclasses.replace(
        drawn, pattern=Pattern.PLAIN, bag=Bag.NONE, upper_colour=(200, 40, 40), hair=Hair.SHORT
    )


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_pictures_have_the_size_of_the_domain(domain):
    population = Population(domain, index=0, seed=0)
    width, height = domain.size
    for camera, image in population.pictures(Group.TRAIN, 0, 6):
        assert 0 <= camera < domain.num_cameras
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert abs(image.shape[0] - height) <= domain.size_jitter * height + 1
        assert abs(image.shape[1] - width) <= 1.4 * domain.size_jitter * width + 1


def test_market_pictures_are_64_by_128():
    image = Population(MARKET, index=0, seed=0).empty_picture(0).image
    assert image.shape == (128, 64, 3)


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_a_person_is_seen_by_two_cameras_or_more(domain):
    population = Population(domain, index=0, seed=0)
    cameras = [picture.camera for picture in population.pictures(Group.TEST, 0, 4)]
    assert len(set(cameras)) >= 2


def test_persons_can_be_drawn_from_all_sides():
    rng = np.random.default_rng(5)
    people = [draw_identity(rng) for _ in range(120)]
    for values, name in ((Hair, "hair"), (Pattern, "pattern"), (Lower, "lower"), (Bag, "bag")):
        assert {getattr(person, name) for person in people} == set(values)
    renderers = [studio(yaw) for yaw in (0, np.pi / 2, np.pi, -np.pi / 2)]
    for number, person in enumerate(people):
        picture = picture_of(renderers[number % 4], person)
        assert picture.std() > 10


def test_a_person_differs_from_the_empty_place(person):
    renderer = studio(0.0)
    red = picture_of(renderer, person)[30:50, 26:38].mean(axis=(0, 1))
    assert red[0] > 2 * red[1]


@pytest.mark.parametrize(
    "change",
    [
        {"upper_colour": (40, 40, 200)},
        {"pattern": Pattern.STRIPES},
        {"pattern": Pattern.CHECKS},
        {"pattern": Pattern.BLOCKS},
        {"pattern": Pattern.LOGO},
        {"lower_colour": (230, 230, 40)},
        {"lower": Lower.SKIRT},
        {"bag": Bag.HANDBAG},
        {"bag": Bag.BACKPACK},
        {"hair": Hair.LONG},
        {"hair": Hair.CAP},
        {"build": 1.5},
        {"height": 0.6},
    ],
    ids=str,
)
def test_every_feature_is_visible_from_the_front(person, change):
    person = dataclasses.replace(person, lower=Lower.TROUSERS, pattern_colour=(240, 240, 240))
    renderer = studio(0.0)
    changed = picture_of(renderer, dataclasses.replace(person, **change))
    difference = np.abs(changed - picture_of(renderer, person)).max(axis=2)
    assert (difference > 20).sum() > 15


def test_a_logo_is_not_seen_from_behind(person):
    renderer = studio(np.pi)
    with_logo = dataclasses.replace(person, pattern=Pattern.LOGO)
    changed, plain = (picture_of(renderer, someone) for someone in (with_logo, person))
    np.testing.assert_array_equal(changed, plain)


def test_a_body_is_narrower_from_the_side(person):
    def red_pixels(yaw):
        image = picture_of(studio(yaw), person)
        return (image[..., 0] > 2 * image[..., 1]).sum()

    assert red_pixels(np.pi / 2) < 0.85 * red_pixels(0.0)


def test_domains_look_different():
    means = []
    for index, domain in enumerate(DOMAINS.values()):
        population = Population(domain, index=index, seed=0)
        images = [population.empty_picture(number).image for number in range(12)]
        means.append(np.mean([image.mean(axis=(0, 1)) for image in images], axis=0))
    distances = [np.linalg.norm(a - b) for i, a in enumerate(means) for b in means[i + 1 :]]
    assert min(distances) > 8
