"""The tests of Portico: one file per noun, as in the rooms; see conftest.py for what they can ask for."""
