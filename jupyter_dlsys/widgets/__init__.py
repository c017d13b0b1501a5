"""Views of a job and of a dataset in a notebook, made of ipywidgets, thin over the SDK."""
