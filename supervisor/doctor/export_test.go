package doctor

// What the tests in package doctor_test reach into.
var DecodeResult = decodeResult
