"""The tables by which the tree was rearranged, and the programs that apply them."""
