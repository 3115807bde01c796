"""How an input is opened and limited, and how its clock is made continuous."""
