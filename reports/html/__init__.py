"""The report as an HTML page, and what all HTML pages share (``layout``, ``svg``)."""
