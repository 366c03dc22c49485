"""Selection: which images of a list are kept, by their labels and by what an audit and a recognizability say."""
