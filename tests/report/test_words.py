"""The report's words: what a source asks to be shown."""

import pandas as pd

from weekly.words import quality_table

QUALITY = pd.DataFrame({"kind": ["not in the data"], "hours": [0], "spans": [[]]})


def test_quality_table__shows_the_licence_lines_of_the_data():
    about = {"data": "runs:/1", "quality": {}, "licences": ["Power data: A & B, CC BY 4.0", "Weather data by C"]}

    assert quality_table(QUALITY, about).endswith(
        '<p class="note">Power data: A &amp; B, CC BY 4.0. Weather data by C.</p>'
    )
    assert "note" not in quality_table(QUALITY, about | {"licences": []})
