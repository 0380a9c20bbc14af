package codexrun_test

func groupExists(int) bool { return false } // the job object has ended with the run
