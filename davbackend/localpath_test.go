package davbackend_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"davwopi/davbackend"
	"davwopi/davbackend/dav"
	"davwopi/test/upstream"
)

// mounted is the view of a server whose folder is "mounted" at dir.
func mounted(t *testing.T, s *upstream.Server, dir string) *davbackend.View {
	t.Helper()
	l, err := davbackend.OpenLocal(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("inodes are worth nothing here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := s.Client(t)
	c.Local = l
	return c.As(s.Credential())
}

// inodes are those of a folder's members, by their names.
func inodes(t *testing.T, v *davbackend.View, p dav.Path) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := v.List(t.Context(), p, func(res dav.Resource) error { all[res.Path.Base()] = res.Inode; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func rename(t *testing.T, s *upstream.Server, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(s.Dir, from), filepath.Join(s.Dir, to)); err != nil {
		t.Fatal(err)
	}
}

func TestLocalPath(t *testing.T) {
	for _, start := range []func(testing.TB) *upstream.Server{upstream.Apache, upstream.Nginx, upstream.Lighttpd, upstream.Rclone} {
		s := start(t)
		t.Run(s.Name, func(t *testing.T) {
			for _, name := range []string{"a.txt", "d/b.txt", "d/deep/c.txt", "d/ü & ö.txt"} {
				s.Write(t, name, "this is "+name)
			}
			v := mounted(t, s, s.Dir)
			if res, err := v.Stat(t.Context(), "/a.txt"); err != nil || res.Inode != "" {
				t.Errorf("before anything was compared: %q, %v", res.Inode, err)
			}
			if _, err := v.ByInode(t.Context(), "1.1"); !errors.Is(err, dav.ErrUnsupported) {
				t.Errorf("before anything was compared: %v", err)
			}
			if err := v.CheckLocal(t.Context()); err != nil {
				t.Fatal(err)
			}
			before, d := inodes(t, v, "/"), inodes(t, v, "/d")
			res, err := v.Stat(t.Context(), "/a.txt")
			if err != nil || res.Inode == "" || res.Inode != before["a.txt"] || before["d"] == "" || d["ü & ö.txt"] == "" || d["b.txt"] == d["deep"] {
				t.Fatalf("%+v, %v, %v %v", res, err, before, d)
			}
			rename(t, s, "d", "e")
			rename(t, s, "a.txt", "e/deep/z.txt")
			if again := inodes(t, v, "/")["e"]; again != before["d"] {
				t.Errorf("the folder has the inode %q, and had %q", again, before["d"])
			}
			for inode, want := range map[string]dav.Path{before["d"]: "/e", before["a.txt"]: "/e/deep/z.txt", d["ü & ö.txt"]: "/e/ü & ö.txt"} {
				if got, err := v.ByInode(t.Context(), inode); err != nil || len(got) != 1 || got[0] != want {
					t.Errorf("%s: %v, %v, want %s", inode, got, err, want)
				}
			}
			s.Write(t, "e/copy.txt", "this is a.txt")
			if now := inodes(t, v, "/e"); now["copy.txt"] == "" || now["copy.txt"] == before["a.txt"] {
				t.Errorf("another file: %v", now)
			}
			if err := os.Remove(filepath.Join(s.Dir, "e/deep/z.txt")); err != nil {
				t.Fatal(err)
			}
			if got, err := v.ByInode(t.Context(), before["a.txt"]); err != nil || len(got) != 0 {
				t.Errorf("of a file that is gone: %v, %v", got, err)
			}
		})
	}
}

// An inode number is used again at once; the birth time is another.
func TestAnInodeIsUsedAgain(t *testing.T) {
	s := upstream.Strict(t)
	s.Write(t, "keep.txt", "keep")
	v := mounted(t, s, s.Dir)
	if err := v.CheckLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	met := map[string]bool{}
	for i := range 50 {
		name := fmt.Sprintf("%d.txt", i)
		s.Write(t, name, "x")
		res, err := v.Stat(t.Context(), dav.Path("/"+name))
		if err != nil || res.Inode == "" || met[res.Inode] {
			t.Fatalf("%d: %q, %v", i, res.Inode, err)
		}
		met[res.Inode] = true
		if err := os.Remove(filepath.Join(s.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLocalPathIsAnotherFolder(t *testing.T) {
	s := upstream.Strict(t)
	for i := range 5 {
		s.Write(t, fmt.Sprintf("%d.txt", i), fmt.Sprint("contents ", i))
	}
	for what, fill := range map[string]func(dir string) error{
		"empty": func(string) error { return nil },
		"other": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "0.txt"), []byte("something else"), 0o600)
		},
	} {
		dir := t.TempDir()
		if err := fill(dir); err != nil {
			t.Fatal(err)
		}
		v := mounted(t, s, dir)
		if err := v.CheckLocal(t.Context()); !errors.Is(err, davbackend.ErrOtherFolder) {
			t.Errorf("%s: %v", what, err)
		}
		if got := inodes(t, v, "/"); got["0.txt"] != "" {
			t.Errorf("%s: inodes of another folder: %v", what, got)
		}
	}
	if _, err := davbackend.OpenLocal(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := davbackend.OpenLocal(file); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// A folder that is not mounted any more takes the inodes away, and nothing else: all
// files are there. They come back with it.
func TestLocalPathIsNotMounted(t *testing.T) {
	s := upstream.Strict(t)
	for i := range 5 {
		s.Write(t, fmt.Sprintf("%d.txt", i), fmt.Sprint("contents ", i))
	}
	dir := filepath.Join(t.TempDir(), "mount")
	if err := os.Symlink(s.Dir, dir); err != nil {
		t.Fatal(err)
	}
	v := mounted(t, s, dir)
	if err := v.CheckLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	inode := inodes(t, v, "/")["3.txt"]
	for _, gone := range []string{"another folder", "nothing"} {
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		if gone == "another folder" {
			if err := os.Symlink(t.TempDir(), dir); err != nil {
				t.Fatal(err)
			}
		}
		got := inodes(t, v, "/")
		if len(got) != 5 || got["3.txt"] != "" {
			t.Errorf("%s at the path: %v", gone, got)
		}
		if res, err := v.Stat(t.Context(), "/3.txt"); err != nil || res.Inode != "" {
			t.Errorf("%s at the path: %q, %v", gone, res.Inode, err)
		}
		if _, err := v.ByInode(t.Context(), inode); !errors.Is(err, dav.ErrUnsupported) {
			t.Errorf("%s at the path: %v", gone, err)
		}
		if gone == "another folder" {
			continue
		}
		if err := os.Symlink(s.Dir, dir); err != nil {
			t.Fatal(err)
		}
		inodes(t, v, "/") // compares
		if again := inodes(t, v, "/")["3.txt"]; again == "" || again != inode {
			t.Errorf("mounted again it has the inode %q, and had %q", again, inode)
		}
	}
}

// What has two names on the disk has no inode: links, and what is mounted below.
func TestLocalPathWithLinksAndMounts(t *testing.T) {
	s := upstream.Strict(t)
	for _, name := range []string{"real/a.txt", "b.txt", "c.txt", "mount/x.txt"} {
		s.Write(t, name, "this is "+name)
	}
	for link, target := range map[string]string{"link.txt": "b.txt", "linked": "real"} {
		if err := os.Symlink(target, filepath.Join(s.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	bound := exec.Command("mount", "--bind", filepath.Join(s.Dir, "real"), filepath.Join(s.Dir, "mount")).Run() == nil
	if bound {
		t.Cleanup(func() { _ = exec.Command("umount", filepath.Join(s.Dir, "mount")).Run() })
	} else {
		t.Log("no mount is made here: that part is left out")
	}
	v := mounted(t, s, s.Dir)
	if err := v.CheckLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	root := inodes(t, v, "/")
	if root["b.txt"] == "" || root["real"] == "" || root["link.txt"] != "" || root["linked"] != "" || bound && root["mount"] != "" {
		t.Errorf("%v", root)
	}
	folders := []dav.Path{"/linked"}
	if bound {
		folders = append(folders, "/mount")
	}
	for _, p := range folders {
		if got := inodes(t, v, p); len(got) != 1 || got["a.txt"] != "" {
			t.Errorf("%s: %v", p, got)
		}
		if res, err := v.Stat(t.Context(), p+"/a.txt"); err != nil || res.Inode != "" {
			t.Errorf("%s: %q, %v", p, res.Inode, err)
		}
	}
	inode := inodes(t, v, "/real")["a.txt"]
	if got, err := v.ByInode(t.Context(), inode); err != nil || len(got) != 1 || got[0] != "/real/a.txt" {
		t.Errorf("found at %v, %v", got, err)
	}
}

// A server may show other forms of names than the disk has.
func TestLocalPathWithOtherSpellings(t *testing.T) {
	s := upstream.Strict(t)
	nfd, nfc := "Gru\u0308n", "Gr\u00fcn"
	for _, name := range []string{nfd + "/" + nfd + ".txt", "plain.txt", nfd + "/Upper.txt"} {
		s.Write(t, name, "this is "+name)
	}
	disk := t.TempDir() // the same files, in the other form
	if err := os.MkdirAll(filepath.Join(disk, nfc), 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{nfd + "/" + nfd + ".txt": nfc + "/" + nfc + ".txt", "plain.txt": "plain.txt", nfd + "/Upper.txt": nfc + "/UPPER.txt"} {
		if err := os.Link(filepath.Join(s.Dir, from), filepath.Join(disk, to)); err != nil {
			t.Fatal(err)
		}
	}
	v := mounted(t, s, disk)
	if err := v.CheckLocal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if root := inodes(t, v, "/"); root[nfd] == "" || root["plain.txt"] == "" {
		t.Errorf("%v", root)
	}
	got := inodes(t, v, dav.Path("/"+nfd))
	if got[nfd+".txt"] == "" || got["Upper.txt"] == "" {
		t.Errorf("%v", got)
	}
}
