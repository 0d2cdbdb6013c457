"""Pure functions from tensors to tensors.

Axis names, in this order where several meet: row layer head depth pos query key d_model d_head vocab component k.
"""
