"""Speed of networks, loaders and the data path of features."""
