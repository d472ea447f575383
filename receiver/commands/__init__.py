"""The commands of the command line, one module each: `arguments(parser)` declares them, `run(options)` does them."""
