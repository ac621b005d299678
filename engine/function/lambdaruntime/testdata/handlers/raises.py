raise ValueError("bad start")
