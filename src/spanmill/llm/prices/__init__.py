"""What calls of models cost: the user's prices, the bundled list, and arithmetic on columns. Pure functions.

`book` finds the price of one kind of call at a moment; `schedule` asks it once for each kind and period and remembers;
`columns` multiplies. Money is whole nano-USD throughout; nothing is summed as a float.
"""
