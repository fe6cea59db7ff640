// Imported before all else: graphql looks for this once, when it is read, and otherwise checks with each value whether there is a second
// graphql that the value is of.
process.env.NODE_ENV ??= 'production'
