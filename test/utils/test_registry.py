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


def test_a_name_like_no_other_lists_the_known_ones_only(registry):
    with pytest.raises(KeyError, match=r"has no 'xyz'\. It has \['Wheel', 'build_door'\]"):
        registry.get("xyz")


def test_a_taken_name_is_refused_and_the_first_entry_stays(registry):
    first = registry.get("Wheel")

    class Wheel:
        pass

    with pytest.raises(KeyError, match=r"PARTS registry has a 'Wheel' already"):
        registry.register(Wheel)
    assert registry.get("Wheel") is first
