// Package home reads the names of folders in environment variables. A shell expands HF_HOME=~/x where it sets it; a service's unit, a
// container's file or quotes do not, and a folder called "~" is never what was meant.
package home

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var variables = regexp.MustCompile(`\$(\w+|\{\w+\})`)

// Folder returns the folder that an environment variable names, empty where the variable is. "~" and "~/x" are below the user's home, and $X
// and ${X} stand for variables, as in the Python libraries that share our caches; one that is not set stays as it is. "~user" is an error.
func Folder(variable string) (string, error) {
	value := os.Getenv(variable)
	rest, tilde := strings.CutPrefix(value, "~")
	if tilde && rest != "" && !os.IsPathSeparator(rest[0]) {
		return "", fmt.Errorf("%s is %s: the home of another user is not looked up; want ~/FOLDER or a whole path", variable, value)
	}
	value = variables.ReplaceAllStringFunc(value, func(use string) string {
		if found, set := os.LookupEnv(strings.Trim(use, "${}")); set {
			return found
		}
		return use
	})
	if !tilde {
		return value, nil
	}
	folder, err := User()
	if err != nil {
		return "", fmt.Errorf("%s is %s: %w", variable, os.Getenv(variable), err)
	}
	return filepath.Join(folder, strings.TrimPrefix(value, "~")), nil
}

// User returns the user's home.
func User() (string, error) {
	folder, err := os.UserHomeDir()
	if err == nil && strings.HasPrefix(folder, "~") {
		err = fmt.Errorf("the home is %s itself, want a whole path", folder)
	}
	return folder, err
}

// Cache returns the folder for what can be made again: XDG_CACHE_HOME, or the system's.
func Cache() (string, error) {
	if folder, err := Folder("XDG_CACHE_HOME"); err != nil || filepath.IsAbs(folder) {
		return folder, err
	}
	return os.UserCacheDir()
}
