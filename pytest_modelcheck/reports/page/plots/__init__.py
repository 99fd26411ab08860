"""Numbers to pictures: pure functions, each from plain values to the markup of one figure, `""` where there is none."""
