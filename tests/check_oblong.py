"""A convolution class with separate filter height and width, for testing the checker."""

from __future__ import annotations

CONV = """
import numpy as np


class Conv2D:
    def __init__(self, n_filters, n_channels, kernel_height, kernel_width, stride=1, pad=0):
        self.s, self.p = stride, pad
        self.W = np.random.randn(n_filters, n_channels, kernel_height, kernel_width); self.b = np.zeros(n_filters)
    def forward(self, x):
        self.x = x
        xp = np.pad(x, ((0, 0), (0, 0), (self.p,) * 2, (self.p,) * 2))
        self.v = np.lib.stride_tricks.sliding_window_view(xp, self.W.shape[2:], axis=(2, 3))[:, :, ::self.s, ::self.s]
        return np.einsum('ncpqkl,fckl->nfpq', self.v, self.W) + self.b[:, None, None]
    def backward(self, d):
        N, C, H, W = self.x.shape; kh, kw = self.W.shape[2:]
        self.dW = np.einsum('nfpq,ncpqkl->fckl', d, self.v); self.db = d.sum((0, 2, 3))
        dxp = np.zeros((N, C, H + 2 * self.p, W + 2 * self.p))
        for i in range(d.shape[2]):
            for j in range(d.shape[3]):
                place = np.s_[:, :, i * self.s:i * self.s + kh, j * self.s:j * self.s + kw]
                dxp[place] += np.einsum("nf,fckl->nckl", d[:, :, i, j], self.W)
        return dxp[:, :, self.p:self.p + H, self.p:self.p + W]
"""
