"""Fast forms of stock modules: each has the parameters of the module that it replaces and gives the same values.

Activations of shape (B, C, T, H, W) are kept in `torch.channels_last_3d` memory order: the channels of one position lie
side by side, so that (B, T, H, W, C) is a view, 1x1x1 convolutions are matrix products and LayerNorm needs no copy.
"""
