import inspect
import re
from functools import partial

import pytest

from fastreid.utils.registry import Registry


@pytest.fixture
def registry():
    registry = Registry("PARTS")

    @registry.register()
    class Wheel:
        pass

    def build_door():
        return "door"

    assert registry.register(build_door) is build_door
    assert Wheel is registry.get("Wheel")
    return registry


def test_entries_are_found_under_their_own_names(registry):
    assert registry.get("build_door")() == "door"
    assert "Wheel" in registry
    assert "Window" not in registry
    assert [name for name, _ in registry] == ["Wheel", "build_door"]
    assert repr(registry) == "Registry('PARTS', ['Wheel', 'build_door'])"


def test_an_unknown_name_lists_near_and_known_ones(registry):
    message = r"PARTS registry has no 'Weel'\. Did you mean 'Wheel'\? It has \['Wheel', 'build_do"
    with pytest.raises(KeyError, match=message):
        registry.get("Weel")


def test_a_name_without_similar_ones_lists_the_known_ones_only(registry):
    with pytest.raises(KeyError, match=r"has no 'xyz'\. It has \['Wheel', 'build_door'\]"):
        registry.get("xyz")


def test_a_taken_name_is_refused_and_the_first_entry_stays(registry):
    first = registry.get("Wheel")

    class Wheel:
        pass

    lines = [inspect.getsourcelines(entry)[1] for entry in (first, Wheel)]
    places = [re.escape(f"test_registry ({__file__}, line {line})") for line in lines]
    message = rf"has a 'Wheel' already, from .*{places[0]}; .*{places[1]} registers another one"
    with pytest.raises(KeyError, match=message):
        registry.register(Wheel)
    assert registry.get("Wheel") is first


def test_an_entry_can_have_another_name_than_its_own(registry):
    @registry.register(name="Rim")
    class Tyre:
        pass

    assert registry.get("Rim") is Tyre
    assert "Tyre" not in registry


@pytest.mark.parametrize("entry", ["Wheel", 3, partial(print)])
def test_an_entry_must_be_a_class_or_function(registry, entry):
    with pytest.raises(TypeError, match="The PARTS registry takes classes and functions, not"):
        registry.register(entry)


def test_the_error_for_an_unknown_name_explains_how_to_add_an_entry(registry):
    with pytest.raises(KeyError, match="name its file in MODULES, such as MODULES my_code.py"):
        registry.get("Window")
