"""Documents of an invented market in the channels' own formats: pure functions of a seed and dates, shared by demo and bench."""
