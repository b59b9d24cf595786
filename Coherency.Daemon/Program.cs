Console.WriteLine("coherencyd");
