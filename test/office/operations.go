package office

import (
	"context"
	"strconv"

	"davwopi/bridge/wopi"
)

// The operations on a file, each under its name. A lock ID of "" sends no header.

// CheckFileInfo asks for the file's properties: decode the answer into
// [wopi.CheckFileInfo].
func (c *Client) CheckFileInfo(ctx context.Context) (Answer, error) {
	return c.Do(ctx, "GET", "", "", nil, nil)
}

// GetFile asks for the bytes. MaxExpectedSize below 0 sends no header.
func (c *Client) GetFile(ctx context.Context, maxExpectedSize int64) (Answer, error) {
	var header map[string]string
	if maxExpectedSize >= 0 {
		header = with(nil, wopi.HeaderMaxExpectedSize, strconv.FormatInt(maxExpectedSize, 10))
	}
	return c.Do(ctx, "GET", "contents", "", header, nil)
}

// PutFile writes the bytes. More headers, Collabora's timestamp for example, may
// be given.
func (c *Client) PutFile(ctx context.Context, lock string, body []byte, more map[string]string) (Answer, error) {
	header := with(more, "Content-Type", "application/octet-stream")
	if lock != "" {
		header[wopi.HeaderLock] = lock
	}
	return c.Do(ctx, "POST", "contents", wopi.OverridePut, header, body)
}

// Lock locks the file.
func (c *Client) Lock(ctx context.Context, lock string) (Answer, error) {
	return c.lockOperation(ctx, wopi.OverrideLock, lock)
}

// RefreshLock makes the lock last another 30 minutes.
func (c *Client) RefreshLock(ctx context.Context, lock string) (Answer, error) {
	return c.lockOperation(ctx, wopi.OverrideRefreshLock, lock)
}

// Unlock releases the lock.
func (c *Client) Unlock(ctx context.Context, lock string) (Answer, error) {
	return c.lockOperation(ctx, wopi.OverrideUnlock, lock)
}

func (c *Client) lockOperation(ctx context.Context, override, lock string) (Answer, error) {
	var header map[string]string
	if lock != "" {
		header = with(nil, wopi.HeaderLock, lock)
	}
	return c.Do(ctx, "POST", "", override, header, nil)
}

// GetLock asks for the lock.
func (c *Client) GetLock(ctx context.Context) (Answer, error) {
	return c.Do(ctx, "POST", "", wopi.OverrideGetLock, nil, nil)
}

// UnlockAndRelock exchanges the lock old for lock. Old is sent even if empty.
func (c *Client) UnlockAndRelock(ctx context.Context, old, lock string) (Answer, error) {
	header := with(nil, wopi.HeaderOldLock, old)
	if lock != "" {
		header[wopi.HeaderLock] = lock
	}
	return c.Do(ctx, "POST", "", wopi.OverrideLock, header, nil)
}

// PutRelativeSuggested saves the bytes beside the file, under a name that the
// host may change. A name that begins with a dot is only an extension.
func (c *Client) PutRelativeSuggested(ctx context.Context, name string, body []byte) (Answer, error) {
	header := with(nil, wopi.HeaderSuggestedTarget, wopi.EncodeUTF7(name), wopi.HeaderSize, strconv.Itoa(len(body)))
	return c.Do(ctx, "POST", "", wopi.OverridePutRelative, header, body)
}

// PutRelativeSpecific saves the bytes beside the file under exactly that name.
func (c *Client) PutRelativeSpecific(ctx context.Context, name string, overwrite bool, body []byte) (Answer, error) {
	header := with(nil, wopi.HeaderRelativeTarget, wopi.EncodeUTF7(name), wopi.HeaderSize, strconv.Itoa(len(body)))
	if overwrite {
		header[wopi.HeaderOverwriteRelativeTarget] = "True"
	}
	return c.Do(ctx, "POST", "", wopi.OverridePutRelative, header, body)
}

// PutRelativeFile sends PUT_RELATIVE with exactly the headers given.
func (c *Client) PutRelativeFile(ctx context.Context, header map[string]string, body []byte) (Answer, error) {
	return c.Do(ctx, "POST", "", wopi.OverridePutRelative, header, body)
}

// RenameFile gives the file another name, without extension. Collabora sends the
// whole document along, which body is for.
func (c *Client) RenameFile(ctx context.Context, lock, name string, body []byte) (Answer, error) {
	header := with(nil, wopi.HeaderRequestedName, wopi.EncodeUTF7(name))
	if lock != "" {
		header[wopi.HeaderLock] = lock
	}
	return c.Do(ctx, "POST", "", wopi.OverrideRenameFile, header, body)
}

// DeleteFile deletes the file.
func (c *Client) DeleteFile(ctx context.Context) (Answer, error) {
	return c.Do(ctx, "POST", "", wopi.OverrideDelete, nil, nil)
}

// PutUserInfo stores a string for this person.
func (c *Client) PutUserInfo(ctx context.Context, info string) (Answer, error) {
	return c.Do(ctx, "POST", "", wopi.OverridePutUserInfo, nil, []byte(info))
}

// GetShareUrl asks for a page to share, ReadOnly or ReadWrite.
func (c *Client) GetShareUrl(ctx context.Context, urlType string) (Answer, error) {
	return c.Do(ctx, "POST", "", wopi.OverrideGetShareURL, with(nil, wopi.HeaderUrlType, urlType), nil)
}

// EnumerateAncestors asks for the folders above the file.
func (c *Client) EnumerateAncestors(ctx context.Context) (Answer, error) {
	return c.Do(ctx, "GET", "ancestry", "", nil, nil)
}

// GetEcosystem asks for the pointer to the ecosystem.
func (c *Client) GetEcosystem(ctx context.Context) (Answer, error) {
	return c.Do(ctx, "GET", "ecosystem_pointer", "", nil, nil)
}

// AddActivities reports activities as JSON.
func (c *Client) AddActivities(ctx context.Context, activities []byte) (Answer, error) {
	return c.Do(ctx, "POST", "", wopi.OverrideAddActivities, nil, activities)
}
