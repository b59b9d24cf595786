using System.Collections;
using System.Text;

namespace Coherency.Daemon.Grpc;

/// <summary>Headers or trailers of a call, beside those of the protocol itself. Keys are lower case.</summary>
public sealed class Metadata : IEnumerable<Metadata.Entry>
{
    /// <summary>Ends the keys of values that are bytes.</summary>
    public const string BinaryHeaderSuffix = "-bin";

    private readonly List<Entry> _entries = [];

    public void Add(string key, string value) => _entries.Add(new Entry(key, value));

    public void Add(string key, byte[] value) => _entries.Add(new Entry(key, value));

    /// <summary>The last value of a key, or null.</summary>
    public string? GetValue(string key) => _entries.FindLast(entry => entry.Key == key)?.Value;

    public IEnumerator<Entry> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A key and its value: a text, or bytes where the key ends in <c>-bin</c>.</summary>
    public sealed class Entry
    {
        private readonly byte[]? _bytes;
        private readonly string? _text;

        public Entry(string key, string value)
        {
            Key = key;
            _text = value;
        }

        public Entry(string key, byte[] value)
        {
            Key = key;
            _bytes = value;
        }

        public string Key { get; }

        public bool IsBinary => _bytes is not null;

        public string Value => _text ?? throw new InvalidOperationException($"{Key} is binary");

        public byte[] ValueBytes => _bytes ?? Encoding.ASCII.GetBytes(_text!);
    }
}
