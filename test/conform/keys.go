package conform

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the key files in a folder for keys.
const (
	CurrentFile = "current.pem"
	OldFile     = "old.pem"
)

// ReadKey reads a private RSA key from a PEM file, PKCS #8 or PKCS #1.
func ReadKey(file string) (*rsa.PrivateKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("conform: %s has no PEM block", file)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("conform: %s: %w", file, err)
	}
	if key, ok := key.(*rsa.PrivateKey); ok {
		return key, nil
	}
	return nil, fmt.Errorf("conform: %s is not an RSA key", file)
}

// Keys reads the two keys in folder dir. Those that are not there are made, of
// 2,048 bits, readable by their owner only.
func Keys(dir string) (current, old *rsa.PrivateKey, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("conform: %w", err)
	}
	if current, err = key(filepath.Join(dir, CurrentFile)); err != nil {
		return nil, nil, err
	}
	if old, err = key(filepath.Join(dir, OldFile)); err != nil {
		return nil, nil, err
	}
	return current, old, nil
}

func key(file string) (*rsa.PrivateKey, error) {
	key, err := ReadKey(file)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		return nil, fmt.Errorf("conform: %w", err)
	}
	return key, nil
}
