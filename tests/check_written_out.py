"""A fully connected net that writes out all its layers, for the tests of the checker."""

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
