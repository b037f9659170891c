package idmap

// CarriedColumns are the columns that a kind of line carries.
func CarriedColumns(is string) string { return carriers[is].columns }
