from plumbline.splits import normalise, split_of  # noqa: F401
