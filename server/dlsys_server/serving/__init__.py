"""Model serving (box D): deployments, gateway, workers."""
