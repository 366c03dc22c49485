from tests import options_page


def test_the_page_of_options_is_current():
    assert options_page.PLACE.read_text(encoding="utf-8") == options_page.page(), "make docs writes it anew"
