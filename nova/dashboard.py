"""The first screen: what needs the signed-in user today."""
