from fastreid.utils.history_buffer import HistoryBuffer


def filled(count, **options):
    buffer = HistoryBuffer(**options)
    for iteration in range(count):
        buffer.update(float(iteration**2), iteration)
    return buffer


def test_median_and_mean_are_over_the_last_values():
    buffer = filled(5)
    assert buffer.latest() == 16
    assert buffer.median(3) == 9
    assert buffer.avg(2) == 12.5
    assert buffer.avg(100) == 6


def test_old_values_are_dropped():
    assert filled(5, max_length=2).values() == [(9.0, 3), (16.0, 4)]
