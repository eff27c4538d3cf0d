"""Issues an invoice for each purchase. Saved while it runs, it is loaded anew."""


def handle(event):
    purchase = event["data"]
    print("invoice for", purchase["user"])  # goes to the log: eda logs
    return {
        "data": {"purchase": purchase["id"], "user": purchase["user"], "total": purchase["total"]},
    }
