package server

// Local is what stands before the routes for those who measure.
var Local = local
