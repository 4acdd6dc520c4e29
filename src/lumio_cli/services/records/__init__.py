"""What `lumio records` does: records as the hub has them, shown, edited, taken out and brought in.

Every edit goes through the resource's view, as any SQL client's would.
"""
