"""What a run will take, before it runs: jobs, hours, memory, disk and judgments.

No number stands alone: each has a basis. `measured` is the median of what earlier jobs of the same
stage, setting and method took, per model; `scaled` is that of another method, by the operations of
both; `model` counts operations and assumes how fast the device is. What none of them knows is
missing, never zero.
"""
