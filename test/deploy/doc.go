// Package deploy checks the files of the folder deploy, with which Sluice is installed: units of systemd, a container file, a config to begin with.
//
// What they call must be there: commands, flags, settings. What two of them say must agree. And each line must have its reason above it, since people copy such files
// and keep what they do not understand. Nothing is installed: systemd's own check of units runs if that program is there.
package deploy
