"""A fully connected net with all layers written inline, for testing the checker."""

from __future__ import annotations

NET = """
import numpy as np


class FullyConnectedNet(object):
    def __init__(self, hidden_dims, input_dim=3072, num_classes=10, dropout_keep_ratio=1, normalization=None, reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None):
        self.reg, self.keep, self.norm, self.dtype = reg, dropout_keep_ratio, normalization, dtype
        self.seed = seed
        self.L = len(hidden_dims) + 1
        dims = np.hstack([input_dim, hidden_dims, num_classes]).astype(int)
        self.params = {}
        for l in range(self.L):
            self.params['W%d' % (l+1)] = (weight_scale * np.random.standard_normal((dims[l], dims[l+1]))).astype(dtype)
            self.params['b%d' % (l+1)] = np.zeros(dims[l+1], dtype=dtype)
            if normalization and l < self.L - 1:
                self.params['gamma%d' % (l+1)] = np.ones(dims[l+1], dtype=dtype)
                self.params['beta%d' % (l+1)] = np.zeros(dims[l+1], dtype=dtype)
        self.stats = {}
    def loss(self, X, y=None):
        P, L = self.params, self.L
        train = y is not None
        A = [X.reshape(X.shape[0], -1).astype(self.dtype)]
        saved = []
        if self.seed is not None and train:
            np.random.seed(self.seed)
        for l in range(1, L):
            z = A[-1] @ P['W%d' % l] + P['b%d' % l]
            xhat = std = None
            if self.norm == 'batchnorm':
                if train:
                    mu, var = z.mean(0), z.var(0)
                    rm, rv = self.stats.get(l, (np.zeros_like(mu), np.zeros_like(var)))
                    self.stats[l] = (0.9 * rm + 0.1 * mu, 0.9 * rv + 0.1 * var)
                else:
                    mu, var = self.stats.get(l, (0., 0.))
                std = np.sqrt(var + 1e-5)
                xhat = (z - mu) / std
                z = P['gamma%d' % l] * xhat + P['beta%d' % l]
            elif self.norm == 'layernorm':
                mu, var = z.mean(1, keepdims=True), z.var(1, keepdims=True)
                std = np.sqrt(var + 1e-5)
                xhat = (z - mu) / std
                z = P['gamma%d' % l] * xhat + P['beta%d' % l]
            a = np.where(z > 0, z, 0)
            mask = 1.
            if self.keep < 1 and train:
                mask = np.random.binomial(1, self.keep, a.shape) / self.keep
            A.append(a * mask)
            saved.append((z, xhat, std, mask))
        scores = A[-1] @ P['W%d' % L] + P['b%d' % L]
        if not train:
            return scores
        N = len(X)
        m = scores.max(1)
        lse = m + np.log(np.exp(scores - m[:, None]).sum(1))
        loss = (lse - scores[range(N), y]).mean() + .5 * self.reg * sum(np.linalg.norm(P['W%d' % l]) ** 2 for l in range(1, L + 1))
        d = np.exp(scores - lse[:, None])
        d[range(N), y] -= 1
        d /= N
        grads = {}
        for l in range(L, 0, -1):
            grads['W%d' % l] = A[l-1].T @ d + self.reg * P['W%d' % l]
            grads['b%d' % l] = d.sum(0)
            if l == 1:
                break
            d = d @ P['W%d' % l].T
            z, xhat, std, mask = saved[l-2]
            d = d * mask * (z > 0)
            if self.norm:
                ax = 0 if self.norm == 'batchnorm' else 1
                grads['gamma%d' % (l-1)] = (d * xhat).sum(0)
                grads['beta%d' % (l-1)] = d.sum(0)
                d = d * P['gamma%d' % (l-1)]
                d = (d - d.mean(ax, keepdims=True) - xhat * (d * xhat).mean(ax, keepdims=True)) / std
        return loss, grads
"""

CONV_NET = """
import numpy as np

def im2col(x, k, pad):
    N, C, H, W = x.shape
    xp = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    v = np.lib.stride_tricks.sliding_window_view(xp, (k, k), axis=(2, 3))
    return v.transpose(0, 2, 3, 1, 4, 5).reshape(N * H * W, -1)
class ThreeLayerConvNet:
    def __init__(self, input_dim=(3, 32, 32), num_filters=32, filter_size=7, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0, dtype=np.float32):
        C, H, W = input_dim
        rn = lambda *s: (np.random.randn(*s) * weight_scale).astype(dtype)
        self.params = dict(W1=rn(num_filters, C, filter_size, filter_size), b1=np.zeros(num_filters, dtype), W2=rn(num_filters * H * W // 4, hidden_dim), b2=np.zeros(hidden_dim, dtype), W3=rn(hidden_dim, num_classes), b3=np.zeros(num_classes, dtype))
        self.reg = reg
    def loss(self, X, y=None):
        W1, b1, W2, b2, W3, b3 = map(self.params.__getitem__, ('W1', 'b1', 'W2', 'b2', 'W3', 'b3'))
        N, C, H, W = X.shape
        F, _, k, _ = W1.shape
        pad = (k - 1) // 2
        cols = im2col(X, k, pad)
        z1 = (cols @ W1.reshape(F, -1).T + b1).reshape(N, H, W, F).transpose(0, 3, 1, 2)
        a1 = np.maximum(z1, 0)
        blocks = a1.reshape(N, F, H // 2, 2, W // 2, 2)
        p1 = blocks.max(axis=(3, 5))
        flat = p1.reshape(N, -1)
        z2 = flat @ W2 + b2
        a2 = z2 * (z2 > 0)
        scores = a2 @ W3 + b3
        if y is None:
            return scores
        s = scores - scores.max(1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(1, keepdims=True))
        loss = -logp[np.arange(N), y].mean()
        for w in (W1, W2, W3):
            loss += 0.5 * self.reg * (w * w).sum()
        d = np.exp(logp); d[np.arange(N), y] -= 1; d /= N
        g = {'W3': a2.T @ d + self.reg * W3, 'b3': d.sum(0)}
        d = (d @ W3.T) * (z2 > 0)
        g.update(W2=flat.T @ d + self.reg * W2, b2=d.sum(0))
        d = (d @ W2.T).reshape(p1.shape)
        m = blocks == p1[:, :, :, None, :, None]
        m = m / m.sum(axis=(3, 5), keepdims=True)
        d = (m * d[:, :, :, None, :, None]).reshape(a1.shape) * (z1 > 0)
        d = d.transpose(0, 2, 3, 1).reshape(-1, F)
        g['W1'] = (d.T @ cols).reshape(W1.shape) + self.reg * W1
        g['b1'] = d.sum(0)
        return loss, g
"""
