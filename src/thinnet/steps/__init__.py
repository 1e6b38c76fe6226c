"""How a net is computed: one protocol, `thinnet.steps.base.Step`, and several implementations.

`readable` calls the functions of `thinnet.layers` and is the reference; `fused` computes the same with `products` and
`kernels`; `thinned` gathers the units that a shared mask keeps and lets another step compute those. `choose` decides.
"""
