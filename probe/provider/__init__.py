"""Saved providers: endpoints under a name, with where their key is and what their toggles are.

``store`` keeps them in a file of the user's config folder, ``keys`` finds the key,
``toggles`` takes a test's verdicts over, ``verify`` uses them through the official SDK.
"""
