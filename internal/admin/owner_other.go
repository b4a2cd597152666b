//go:build !unix

package admin

import "io/fs"

// ownedByUser trusts the system's own rules for the folders of a user.
func ownedByUser(fs.FileInfo) bool { return true }
