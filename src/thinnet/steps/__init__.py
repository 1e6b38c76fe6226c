"""How a net is computed: one protocol, `thinnet.steps.base.Step`, and several ways to fulfil it.

`readable` goes through the functions of `thinnet.layers` and is the truth; `fused` computes the same by `products` and
`kernels`; `thinned` gathers the units that a shared mask keeps and lets another step compute those. `choose` decides.
"""
