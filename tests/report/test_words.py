"""The report's words: what a source asks to be shown, and what has drifted."""

import pandas as pd

from weekly.words import drift, quality_table

QUALITY = pd.DataFrame({"kind": ["not in the data"], "hours": [0], "spans": [[]]})


def test_quality_table__shows_the_licence_lines_of_the_data():
    about = {"data": "runs:/1", "quality": {}, "licences": ["Power data: A & B, CC BY 4.0", "Weather data by C"]}

    assert quality_table(QUALITY, about).endswith(
        '<p class="note">Power data: A &amp; B, CC BY 4.0. Weather data by C.</p>'
    )
    assert "note" not in quality_table(QUALITY, about | {"licences": []})


def test_drift__names_what_is_beyond_a_limit():
    row = {"what": "wind capacity", "figure": 0.112, "level": "warning", "why": "49.59 GW <installed>"}
    said = "13 of 14 figures of drift are within their limits"

    text = drift({"said": f"{said}; wind capacity: 49.59 GW <installed>", "beyond": [row]})

    assert text.startswith(f"<p><b>Since the model learned:</b> {said}.</p>")
    assert "<th>wind capacity</th><td>warning</td><td>0.11</td><td>49.59 GW &lt;installed&gt;</td>" in text
    assert "<table>" not in drift({"said": said, "beyond": []})
