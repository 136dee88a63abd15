"""The monthly returns of every area: how many, month by month, and whether the numbers balance."""
