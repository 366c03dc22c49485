"""A fixed list whose features come from whole numbers alone, so that every machine has the same to the last bit."""

import numpy as np

PEOPLE, IMAGES, DIMENSION = 20, 4, 16
UNRECOGNIZABLE_PEOPLE = 17
SETTINGS = {"id_key_index": -2, "pool_size": 40, "seed": 5}


def paths():
    """Twenty people of four images; of seventeen people, images 2 and 3 are unrecognizable."""
    return [f"person_{person:02d}/{number}.jpg" for person in range(PEOPLE) for number in range(IMAGES)]


def vectors():
    """Path to vector, float32."""
    places = np.arange(DIMENSION)
    found = {}
    for number, path in enumerate(paths()):
        person, image = divmod(number, IMAGES)
        is_unrecognizable = image >= 2 and person < UNRECOGNIZABLE_PEOPLE
        centre = _fractions(7 * places + 11) if is_unrecognizable else _fractions((person + 3) * (29 * places + 17))
        own = _fractions((number + 5) * (41 * places + 23) + places * places)
        found[path] = (centre + (image + 1) / 8 * own).astype(np.float32)
    return found


def _fractions(numbers):
    """Whole numbers to multiples of 1/64 in [-0.5, 0.5)."""
    return (numbers * numbers * 13 + numbers * 7) % 101 % 64 / 64 - 0.5
